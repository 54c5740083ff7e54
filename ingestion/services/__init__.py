"""What writes: receiving objects, loading their rows, linking, settling, closing the books."""
