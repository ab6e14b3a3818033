"""Links from the Dagster UI to the code of an asset: to a line of the checkout on a laptop, to the
published repository for a deployment."""

import inspect
import warnings
from pathlib import Path
from typing import Any, Final, NamedTuple

import dagster as dg

# Beta in Dagster 1.13. Dagster is pinned, and a test covers them.
for _name in ("LocalFileCodeReference", "UrlCodeReference", "CodeReferencesMetadataValue"):
    warnings.filterwarnings("ignore", message=f"Class `{_name}`", category=dg.BetaWarning)

_PACKAGE: Final = Path(__file__).resolve().parent


class CodeLinks(NamedTuple):
    """`address` is the URL of the repository's files, `checkout` its folder on this machine.
    Without either there are no links."""

    address: str | None = None
    checkout: Path | None = None

    def to(self, path: str, line: int = 1) -> dict[str, Any]:
        """Metadata with a link to a line of a file; `path` is relative to the repository."""
        reference: dg.LocalFileCodeReference | dg.UrlCodeReference
        if self.address is not None:
            reference = dg.UrlCodeReference(
                url=f"{self.address.rstrip('/')}/{path}#L{line}", label=path
            )
        elif self.checkout is not None:
            reference = dg.LocalFileCodeReference(
                file_path=str(self.checkout / path), line_number=line, label=path
            )
        else:
            return {}
        value = dg.CodeReferencesMetadataValue(code_references=[reference])
        return {"dagster/code_references": value}

    def of(self, assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
        """The assets with links to their function."""
        body = inspect.unwrap(assets.op.compute_fn.decorated_fn)  # type: ignore[union-attr]
        file = Path(inspect.getsourcefile(body) or "").resolve().relative_to(_PACKAGE)
        link = self.to(f"{_PACKAGE.name}/{file.as_posix()}", inspect.getsourcelines(body)[1])
        return assets.map_asset_specs(lambda spec: spec.merge_attributes(metadata=link))
