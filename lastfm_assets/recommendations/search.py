"""How the champion's lists are found, and what is said of lists that may miss an artist."""

from collections.abc import Callable

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.approximate import Search, recall
from lastfm_assets.models.ranking import USUAL, Budget
from lastfm_assets.models.trained import TrainedModel
from lastfm_assets.recommendations.lists import LENGTH


def search_of(model: TrainedModel, asked: Search, *, warn: Callable[[str], None]) -> Search:
    """The search that is asked for, or exact for a model that knows no other.

    The champion may change overnight, from one that can be searched approximately to one that
    cannot. Lists that took longer are then worth more than none.

    Args:
        model: whose lists are made.
        asked: what is set.
        warn: told where it is not what is done.
    """
    if asked == "exact" or model.may_be_approximate:
        return asked
    warn(
        f"LASTFM_SEARCH is {asked}, but the champion is {model.name}, which can only be ranked "
        "exactly; so it is"
    )
    return "exact"


def search_figures(
    model: TrainedModel,
    matrix: ListeningMatrix,
    search: Search,
    *,
    seed: int,
    budget: Budget = USUAL,
    say: Callable[[str], None],
) -> dict[str, str | float]:
    """How lists were found, and how much of the exact ones they hold where they may miss some.

    Args:
        model: whose lists they are, fitted on `matrix`.
        matrix: all plays.
        search: what was done, see `search_of`.
        seed: of the sample of users on whom recall is measured.
        budget: what ranking the sample may use.
        say: told the recall in a line.

    Returns:
        By name: the search, and of an approximate one the recall with its 95% interval and the
        users of the sample.
    """
    if search == "exact" or model.factors is None:
        return {"search": search}
    found = recall(model.factors, matrix.plays, n=LENGTH, seed=seed, budget=budget)
    say(f"{search} lists hold {found.in_words} of the exact ones")
    name = f"search_recall@{LENGTH}"
    return {
        "search": search,
        name: found.mean,
        f"{name}_low": found.low,
        f"{name}_high": found.high,
        "search_recall_users": found.users,
    }
