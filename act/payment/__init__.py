"""PSD, the Payment Services Domain: a payment asked for, decided, reserved and receipted."""
