"""ONNX files as web pages: read, tried, made smaller, and drawn by ONNX Runtime Web."""
