"""The graph of this project: every asset, in data-flow order."""

from assets.candidates import runnable_records
from assets.graph import AssetGraph
from assets.manifest import record_manifest
from assets.outcomes import output_results, record_outcomes
from assets.planning import batch_manifest
from assets.reports import batch_report
from assets.requests import batch_requests
from assets.results import batch_results
from assets.sources import existing_results, ledger, page_images, source_documents

CATALOG = AssetGraph(
    [
        source_documents,
        page_images,
        record_manifest,
        existing_results,
        ledger,
        runnable_records,
        batch_manifest,
        batch_requests,
        batch_results,
        record_outcomes,
        output_results,
        batch_report,
    ]
)
