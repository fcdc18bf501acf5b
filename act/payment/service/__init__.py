"""The payment service: the one place that decides payments and counts what is spent, and that does as it is told by those who
may. Each module holds what one kind of call needs; `PaymentService` is all of them."""

from act.payment.service.answers import Acknowledgement, Charge
from act.payment.service.authorizing import PaymentService

__all__ = ["Acknowledgement", "Charge", "PaymentService"]
