"""From a CSV file to a trained network: is a film praised, and by which word?"""

import csv
import random
import tempfile
from pathlib import Path

import regard
from regard.tasks.predictor import Answer

SUBJECTS = ["the film", "the plot", "the music", "its hero", "the ending", "the camera"]
WORDS = {
    "good": ["fine", "moving", "clever", "warm"],
    "bad": ["dull", "clumsy", "cold", "tired"],
}
SHAPES = [
    "{one} was {word} , like {other}",
    "like {other} , {one} was {word} this time",
    "after an hour {one} became {word} , and so did {other}",
    "for all i know {other} is not new , but {one} is {word}",
]


def reviews(path: Path) -> Path:
    """Write a table of labeled sentences."""
    draw = random.Random(0)
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for _ in range(600):
            label = draw.choice(list(WORDS))
            one, other = draw.sample(SUBJECTS, 2)
            words = {"one": one, "other": other, "word": draw.choice(WORDS[label])}
            table.writerow([draw.choice(SHAPES).format(**words), label])
    return path


def main() -> tuple[float, Answer]:
    with tempfile.TemporaryDirectory() as folder:
        data = reviews(Path(folder) / "reviews.csv")
        # Filters see one word or three, so attention points to the words that count. Each state of
        # an LSTM (model="lstm") has seen the whole sentence, so attention could go to any of them.
        run = regard.train(
            data,
            model="cnn",
            widths=(1, 3),
            pooling="attention",
            normalizer="entmax(1.3)",
            epochs=6,
            batch_tokens=256,  # little data: small batches, for enough updates
            out=Path(folder) / "run",
        )
        answer = run.predict(["for all i know the plot is not new , but the music is clever"])[0]
        accuracy = run.metrics["valid"]["accuracy"]
    print(f"{accuracy:.1%} of the held-out sentences are labelled correctly.\n")
    print(answer)
    return accuracy, answer


if __name__ == "__main__":
    main()
