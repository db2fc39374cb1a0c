"""``sknote card``: what a model is."""

from sknote.cli._main import DONE


def run(options):
    """Carry the command out."""
    from sknote.deploy import model_card

    print(model_card(options.model))
    return DONE
