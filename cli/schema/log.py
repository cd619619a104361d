"""`fareline schema log`: the versions of the schema."""

from cli.answer import answer
from cli.options import ConfigOption, JsonOption, SchemaOption


def log(
    config: ConfigOption = None, schema: SchemaOption = None, as_json: JsonOption = False
) -> None:
    """List the versions of the schema with date, columns and reason."""
    from cli.views.schema import draw_log, log_as_json
    from runners.contract import read_contract
    from schema.review.history import read_history

    contract = read_contract(config, schema)
    versions = read_history(contract.path)
    content = log_as_json(contract, versions)
    answer(as_json, content, lambda console: draw_log(console, contract, versions))
