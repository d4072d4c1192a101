// What every page needs. Each part is a module of its own and works without the others.
import "./toasts.js";
import "./theme_switch.js";
import "./menus.js";
import "./confirm.js";
import "./htmx_errors.js";
import "./copy.js";
