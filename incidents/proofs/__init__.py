"""How a delivery proves who sent it: signatures and tokens over the raw bytes, and the memory of those seen."""
