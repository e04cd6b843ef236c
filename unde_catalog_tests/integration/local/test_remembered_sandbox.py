"""A state that was made with the sandbox: every command uses it, from any folder, without a setting."""

from pathlib import Path

from unde_catalog_tests.support.own_sandboxes import running_own_sandbox, unde_catalog


def test_commands_use_the_sandbox_of_their_state(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with running_own_sandbox(home, "--port", "0") as (own, _):
        done = unde_catalog(home, "run", "raw_products", "--brand", "zara", cwd=elsewhere)
        assert done.returncode == 0 and "raw_products zara: 20 done" in done.stdout, done.stderr
        done = unde_catalog(home, "doctor", "--only", "sandbox", "--only", "apify", "--only", "stores", cwd=elsewhere)
        assert done.returncode == 0 and own.url in done.stdout
        assert "not configured" not in done.stdout and done.stdout.endswith("14 green.\n"), done.stdout
        done = unde_catalog(home, "export", "-b", "zara", "--limit", "1", "--output", "images", cwd=elsewhere)
        assert done.returncode == 0, done.stdout
        printed = unde_catalog(home, "sandbox", "env").stdout
        assert f"APIFY_TOKEN={own.environment()['APIFY_TOKEN']}" in printed.splitlines()
        # A token of the real service is used where there is one: the sandbox refuses it.
        done = unde_catalog(home, "doctor", "--only", "apify-zara", APIFY_TOKEN="real")
        assert "not configured" in done.stdout
    where = f"the sandbox at {own.url} does not respond"
    done = unde_catalog(home, "run", "raw_products", "--brand", "zara", "--force", cwd=elsewhere)
    assert done.returncode == 1 and where in done.stderr and "unde-catalog up" in done.stderr
    assert "Traceback" not in done.stderr
    done = unde_catalog(home, "export", "-b", "zara", "--output", "images", cwd=elsewhere)
    assert (done.returncode, where in done.stderr) == (1, True)
    done = unde_catalog(home, "doctor", "--only", "sandbox", "--only", "apify", cwd=elsewhere)
    assert done.returncode == 1 and "7 services" in done.stdout and done.stdout.endswith("7 yellow, 1 red.\n")
    assert unde_catalog(home, "run", "collages", "--brand", "zara").returncode == 0  # it asks no service
    assert not (elsewhere / ".unde").exists()
