"""What the sandbox can be told."""

from pathlib import Path

import pytest

from sandbox.config import ConfigError, SandboxConfig


def test_an_empty_environment_means_the_defaults() -> None:
    assert SandboxConfig.from_env({}) == SandboxConfig()
    assert (SandboxConfig().host, SandboxConfig().port) == ("127.0.0.1", 8090)


def test_every_setting_is_read() -> None:
    config = SandboxConfig.from_env(
        {
            "SANDBOX_ADDR": "[::1]:0",
            "ORDERMESH_DATA_DIR": "/tmp/x",
            "SANDBOX_STRIPE_WEBHOOK_URL": "https://shop.example/stripe",
            "SANDBOX_SENDGRID_WEBHOOK_URL": "",
            "STRIPE_WEBHOOK_SECRET": "whsec_x",
        }
    )

    assert config == SandboxConfig("::1", 0, Path("/tmp/x"), "https://shop.example/stripe", "whsec_x", "")


def test_all_complaints_come_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        SandboxConfig.from_env({"SANDBOX_ADDR": "8090", "SANDBOX_STRIPE_WEBHOOK_URL": "shop.example"})

    assert "SANDBOX_ADDR" in str(refused.value)
    assert "SANDBOX_STRIPE_WEBHOOK_URL" in str(refused.value)
