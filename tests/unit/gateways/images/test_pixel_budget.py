"""How much is held in memory while images are converted side by side."""

import threading

from flows.gateways.images.preparing import PixelBudget


def test_conversions_together_hold_no_more_than_the_budget_and_a_large_one_goes_alone() -> None:
    budget, held, most, lock = PixelBudget(100), [0], [0], threading.Lock()
    shares = [60, 30, 500, 60, 50, 40, 100, 1] * 5
    seen: list[int] = []

    def hold(pixels: int) -> None:
        with budget.hold(pixels):
            with lock:
                held[0] += pixels
                most[0] = max(most[0], held[0] if pixels <= 100 else held[0] - pixels)
                seen.append(pixels)
            threading.Event().wait(0.002)
            with lock:
                held[0] -= pixels

    threads = [threading.Thread(target=hold, args=(pixels,)) for pixels in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(seen) == sorted(shares)
    assert most[0] <= 100
