// The drive page. Each part is a module of its own.
import "./selection.js";
import "./dialogs.js";
import "./rename.js";
import "./drag.js";
import "./choose.js";
