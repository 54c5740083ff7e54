"""What may be asked (`parameters`) and what is answered (shapes: `answers`, values: `record`)."""
