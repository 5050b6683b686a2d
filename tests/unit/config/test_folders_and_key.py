"""What is made and asked of the folders that settings name, and where the API key comes from."""

from pathlib import Path

import pytest

from assets.domain.errors import ConfigError
from config.settings import (
    check_folders,
    make_folders,
    read_api_key,
)
from tests.unit.config.test_settings import load, refused


class TestFolders:
    def test_what_is_written_to_is_made(self, tmp_path: Path) -> None:
        (tmp_path / "dataset/page_images").mkdir(parents=True)
        settings = load(tmp_path)
        check_folders(settings)
        assert not settings.paths.manifests.exists(), "only a collection that begins makes its folders"
        make_folders(settings)
        assert settings.paths.output_results.is_dir()
        assert settings.paths.manifests.is_dir()

    def test_missing_images_are_said_with_file_and_key_and_nothing_is_made(self, tmp_path: Path) -> None:
        settings = load(tmp_path)
        with pytest.raises(ConfigError, match=r"quire\.yaml: paths\.page_images: .*page_images does not exist"):
            check_folders(settings)
        assert not settings.paths.manifests.exists()

    def test_images_are_made_where_there_are_source_documents(self, tmp_path: Path) -> None:
        (tmp_path / "dataset/source_documents").mkdir(parents=True)
        settings = load(tmp_path)
        check_folders(settings)
        assert settings.paths.page_images.is_dir()

    def test_a_file_in_the_place_of_the_images(self, tmp_path: Path) -> None:
        (tmp_path / "dataset/source_documents").mkdir(parents=True)
        (tmp_path / "dataset/page_images").touch()
        with pytest.raises(ConfigError, match=r"paths\.page_images: the folder .* cannot be made"):
            check_folders(load(tmp_path))

    def test_a_folder_from_the_environment_is_said_with_its_variable(self, tmp_path: Path) -> None:
        (tmp_path / "dataset/page_images").mkdir(parents=True)
        settings = load(tmp_path, environ={"QUIRE__PATHS__ALLOW_LIST": "lists"})
        with pytest.raises(ConfigError, match=r"QUIRE__PATHS__ALLOW_LIST: paths.allow_list: .*lists does not exist"):
            check_folders(settings)

    def test_a_file_where_a_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "dataset/page_images").mkdir(parents=True)
        (tmp_path / "manifests").write_text("")
        with pytest.raises(ConfigError, match=r"paths\.manifests: the folder .* cannot be made"):
            make_folders(load(tmp_path))


class TestTheApiKey:
    def test_the_environment_comes_before_the_file(self, tmp_path: Path) -> None:
        env_file = tmp_path / ".env"
        env_file.write_text("GEMINI_API_KEY='from-file'\n")
        found = read_api_key({"GEMINI_API_KEY": " from-environment\n"}, env_file)
        assert found is not None
        assert found.get_secret_value() == "from-environment"
        found = read_api_key({"GEMINI_API_KEY": ""}, env_file)
        assert found is not None
        assert found.get_secret_value() == "from-file"
        assert "from-file" not in f"{found!r} {found}"

    def test_none_is_none(self, tmp_path: Path) -> None:
        assert read_api_key({}, tmp_path / ".env") is None
        assert read_api_key({}, None) is None

    def test_a_key_that_cannot_be_one_is_refused_and_not_shown(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"GEMINI_API_KEY: .*a space or a character") as caught:
            read_api_key({"GEMINI_API_KEY": "s3cret s3cret"}, None)
        assert "s3cret" not in str(caught.value)
        (tmp_path / ".env").mkdir()
        with pytest.raises(ConfigError, match=r"\.env: cannot be read: Is a directory; look what is wrong there"):
            read_api_key({}, tmp_path / ".env")

    def test_dollars_are_taken_as_they_are(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("GEMINI_API_KEY=a${HOME}b\n")
        found = read_api_key({}, tmp_path / ".env")
        assert found is not None
        assert found.get_secret_value() == "a${HOME}b"

    def test_settings_in_dotenv_are_refused_because_they_would_not_count(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("QUIRE__EXECUTION__DRY_RUN=true\n")
        assert refused(tmp_path) == (
            ".env: QUIRE__EXECUTION__DRY_RUN: settings are not read from .env; "
            "put it into the configuration file or the environment"
        )
