"""What may be asked (`parameters`) and what is answered (`answers` as shapes, `record` as values)."""
