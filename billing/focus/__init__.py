"""Cost and use in the form of FOCUS, the open specification for bills of clouds (docs/focus.md)."""
