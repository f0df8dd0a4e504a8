"""What a page says, as plain records made from tables; no component and no figure."""
