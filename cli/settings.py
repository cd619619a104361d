"""`fareline settings`: a settings file with all that it leaves to the defaults."""

from cli.answer import answer
from cli.options import ConfigOption, JsonOption, SetOption


def settings(
    config: ConfigOption = None, overrides: SetOption = None, as_json: JsonOption = False
) -> None:
    """Print the settings with every default, as YAML that can be loaded again."""
    import yaml

    from pipeline.settings.load import load_settings

    values = load_settings(config, overrides or ()).model_dump(mode="json", by_alias=True)
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
    answer(as_json, values, text.removesuffix("\n"))
