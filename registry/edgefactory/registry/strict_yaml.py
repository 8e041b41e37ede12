"""YAML as people should write it: plain values, no key twice, no aliases."""

import yaml


def load_yaml(data: bytes) -> object:
    """The value of the YAML document `data`. Raises yaml.YAMLError, UnicodeDecodeError."""
    return yaml.load(data, Loader=_StrictLoader)  # noqa: S506 (a SafeLoader)


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, and aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = next((key for key in keys if keys.count(key) > 1), None)
        if doubled is not None:
            raise yaml.YAMLError(f"key {doubled!r} is given twice")
        return dict(super().construct_mapping(node, deep=deep))
