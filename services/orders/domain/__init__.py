"""The rules of orders and payments: pure, no await, no clock."""
