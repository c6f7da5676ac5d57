from __future__ import annotations

from fluvial.envs.synthesis.memo import Memo


def test_a_function_is_called_once_for_each_argument() -> None:
    asked: list[int] = []

    def twice(number: int) -> int:
        asked.append(number)
        return 2 * number

    memo = Memo(twice, 4)
    assert [memo[1], memo[2], memo[1]] == [2, 4, 2]
    assert asked == [1, 2]
    memo.put(3, 60)
    assert memo[3] == 60
    assert 4 not in memo


def test_the_older_half_goes_when_there_is_no_room() -> None:
    memo = Memo(str, 4)
    for number in range(5):
        assert memo[number] == str(number)
    assert list(memo) == [2, 3, 4]
    single = Memo(str, 1)
    assert [single[1], single[2]] == ["1", "2"]
    assert list(single) == [2]
