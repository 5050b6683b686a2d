"""A local Gemini: its File and Batch APIs over HTTP, answered by an OCR engine or by a script. Imports nothing of the
product; what it emulates is described in docs/emulator.md."""
