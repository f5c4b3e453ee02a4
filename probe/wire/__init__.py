"""The messages between coordinator and agent; no input or output."""
