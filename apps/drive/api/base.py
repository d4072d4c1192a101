"""What the drive's views have in common."""

from __future__ import annotations

from rest_framework.parsers import JSONParser
from rest_framework.views import APIView


class JsonView(APIView):
    """Bodies are JSON and nothing else: a form can't say null, nor an empty list."""

    parser_classes = [JSONParser]
