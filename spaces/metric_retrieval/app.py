"""The page of the metric: two lists of vectors in, ranks out."""

from __future__ import annotations

from ranking import ranking_scores

QUERIES = "1.0 0.0\n0.0 1.0\n0.7 0.7"
CANDIDATES = "0.9 0.1\n0.8 0.6\n0.5 0.6"


def vectors_of(text: str) -> list[list[float]]:
    """Vectors of lines of numbers.

    Raises:
        ValueError: a line that is something else, or of another length; names it.
    """
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            row = [float(word) for word in line.replace(",", " ").split()]
        except ValueError:
            raise ValueError(f"line {number}: wanted numbers, got {line!r}") from None
        if rows and len(row) != len(rows[0]):
            raise ValueError(f"line {number}: wanted {len(rows[0])} numbers as above, got {len(row)}")
        rows.append(row)
    return rows


def scores(queries: str, candidates: str) -> dict[str, float]:
    return {
        name: round(value, 4) for name, value in ranking_scores(vectors_of(queries), vectors_of(candidates)).items()
    }


def main() -> None:
    import gradio

    def answer(queries: str, candidates: str) -> dict[str, float]:
        try:
            return scores(queries, candidates)
        except ValueError as error:
            raise gradio.Error(str(error)) from None

    inputs = [
        gradio.Textbox(QUERIES, lines=10, label="Queries: one vector a line"),
        gradio.Textbox(CANDIDATES, lines=10, label="Their right candidates, in the same order"),
    ]
    title = "Rank of the right candidate"
    gradio.Interface(answer, inputs, gradio.JSON(label="Scores"), title=title, api_name="scores").launch()


if __name__ == "__main__":
    main()
