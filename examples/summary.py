"""Describe a text by its words: where the model has to guess, it says how sure it is."""


def mean(numbers):
    return sum(numbers) / len(numbers)


def spread(numbers):
    middle = mean(numbers)
    total = 0
    for number in numbers:
        total += (number - middle) ** 2
    return total / len(numbers)


def describe(text):
    words = text.split()
    lengths = []
    for word in words:
        lengths.append(len(word))
    longest = max(words, key=len)
    rare = sorted(words, key=lambda word: (-len(word), word))[:2]
    return {"words": len(words), "longest": longest, "rare": rare, "spread": spread(lengths)}


def main():
    return describe("the quick brown fox jumps")


if __name__ == "__main__":
    print(main())
