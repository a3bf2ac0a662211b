"""What the gates ask. A gate names its examiners (`bot.plan.gates`); each has its entry in the table here."""

from __future__ import annotations

from pathlib import Path

from bot.artifacts.examiners import BundleExaminers
from bot.edges.services import Services, secret
from bot.ports import Examiners
from bot.settings import Settings
from bot.stackauth.canary import Canary, CanarySignsIn
from bot.stackauth.migrate.readback import ReadBack
from bot.supabase.counts import CountsExaminer
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway
from bot.supabase.proof.examiner import Proof
from bot.supabase.proof.notice import Notice


def examiners(settings: Settings, edges: Services, directory: Path, bundle: BundleExaminers) -> Examiners:
    """By the names that the gates give them."""
    freeze = proof(settings, edges.database, edges.gateway, directory)
    return {
        "freeze-proof": freeze.freeze_proof,
        "notice": Notice(settings.freeze.notice_url, settings.freeze.notice_text).examine,
        "files": bundle.examine_files,
        "counts": CountsExaminer(edges.database, edges.gateway, directory),
        "freeze-holds": freeze.freeze_holds,
        "mapping": bundle.examine_mapping,
        "users-read-back": ReadBack(directory, edges.stack).examine,
        "references": bundle.examine_references,
        "canary": CanarySignsIn(directory, edges.stack, *_canary_at_the_target(settings)).examine,
    }


def proof(settings: Settings, database: Database, gateway: Gateway, directory: Path | None = None) -> Proof:
    """`directory` is where the export is to lie."""
    return Proof(
        database,
        gateway,
        directory=directory,
        quiet_seconds=settings.freeze.quiet_seconds,
    )


def _canary_at_the_target(settings: Settings) -> tuple[Canary | None, str]:
    """None with what is not set, as a clause."""
    if settings.canary_email is None:
        return None, "CANARY_EMAIL and CANARY_PASSWORD are"
    if settings.stack_auth_publishable_key is None:
        return None, "STACK_AUTH_PUBLISHABLE_KEY is"
    return Canary(
        email=secret(settings.canary_email),
        password=secret(settings.canary_password),
        publishable_key=secret(settings.stack_auth_publishable_key),
        base_url=settings.stack_auth_api_url,
        project_id=settings.stack_auth_project_id or "",
    ), ""
