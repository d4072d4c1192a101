"""What the drive's views have in common."""

from __future__ import annotations

from rest_framework.views import APIView

from marketplace.parsers import JSONParser


class JsonView(APIView):
    """Bodies are JSON and nothing else: a form can't say null, nor an empty list."""

    parser_classes = [JSONParser]
