from __future__ import annotations

import pytest

from apps.drive.models import Attachment, Image
from apps.drive.storage import blob_path
from apps.processing.documents import store
from apps.processing.models import Job, JobImage
from tests.processing.conftest import run_to_end


def text(response) -> str:
    return response.content.decode()


@pytest.fixture
def job(alice, submit, controller, engine) -> Job:
    """Four photos, of which the second failed."""
    return run_to_end(
        controller, engine, submit(alice, count=4), lambda image: "truncated" if image.position == 1 else ""
    )


def row(job: Job, position: int) -> JobImage:
    return JobImage.objects.get(job=job, position=position)


def test_every_photo_is_shown(alice_web, job):
    response = alice_web.get(f"/jobs/{job.pk}/results/")
    assert [item.document["position"] for item in response.context["page"].items] == [0, 1, 2, 3]
    assert "It is truncated." in text(response)


@pytest.mark.parametrize(("status", "positions"), [("ok", [0, 2, 3]), ("failed", [1]), ("x", [0, 1, 2, 3])])
def test_filter_by_status(alice_web, job, status, positions):
    page = alice_web.get(f"/jobs/{job.pk}/results/?status={status}").context["page"]
    assert [item.document["position"] for item in page.items] == positions


def test_filters_of_findings_show_only_where_there_are_any(alice_web, job):
    page = text(alice_web.get(f"/jobs/{job.pk}/results/"))
    assert 'name="status"' in page
    for name in ("label", "min_confidence", "rgb", "ryb"):
        assert f'name="{name}"' not in page


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=99999999999", "min_confidence=nan"])
def test_nonsense_in_the_address_is_ignored(alice_web, job, query):
    page = alice_web.get(f"/jobs/{job.pk}/results/?{query}").context["page"]
    assert len(page.items) == 4


def test_pages_follow_each_other(alice_web, job, monkeypatch):
    monkeypatch.setattr("apps.processing.views_results.PAGE_SIZE", 3)
    first = alice_web.get(f"/jobs/{job.pk}/results/?status=")
    assert 'href="?after=2"' in text(first)
    second = alice_web.get(f"/jobs/{job.pk}/results/?after=2").context["page"]
    assert [item.document["position"] for item in second.items] == [3]


def test_a_page_costs_the_same_with_many_photos(
    alice, alice_web, job, submit, controller, engine, django_assert_max_num_queries
):
    large = run_to_end(controller, engine, submit(alice, count=20, name="Large"))
    with django_assert_max_num_queries(30) as few:
        alice_web.get(f"/jobs/{job.pk}/results/")
    with django_assert_max_num_queries(30) as many:
        alice_web.get(f"/jobs/{large.pk}/results/")
    assert len(many) == len(few)


def test_one_result_has_its_neighbours_and_its_document(alice_web, job):
    response = alice_web.get(f"/jobs/{job.pk}/results/{row(job, 2).image_id}/")
    page = text(response)
    assert response.context["previous"] == row(job, 1).image_id
    assert response.context["next"] == row(job, 3).image_id
    assert "3 / 4" in page
    assert "3.5 ms" in page
    assert "<before-after" in page


def test_the_ends_have_one_neighbour(alice_web, job):
    first = alice_web.get(f"/jobs/{job.pk}/results/{row(job, 0).image_id}/").context
    last = alice_web.get(f"/jobs/{job.pk}/results/{row(job, 3).image_id}/").context
    assert (first["previous"], last["next"]) == ("", "")


def test_a_failed_photo_says_why(alice_web, job):
    page = text(alice_web.get(f"/jobs/{job.pk}/results/{row(job, 1).image_id}/"))
    assert "It is truncated." in page
    assert "The photo itself is unchanged." in page


def test_text_is_shown_and_escaped(alice, alice_web, job):
    [item] = store().page(job.id, limit=1)
    output = Image.objects.get(pk=item["output_image"])
    path = blob_path(alice.pk, "e" * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<script>alert(1)</script>")
    Attachment.objects.filter(image=output).delete()
    for name, media_type in [("a.txt", "text/plain"), ("a.html", "text/html"), ("a.bin", "application/x")]:
        Attachment.objects.create(
            image=output, name=name, media_type=media_type, sha256="e" * 64, bytes=path.stat().st_size
        )
    response = alice_web.get(f"/jobs/{job.pk}/results/{row(job, 0).image_id}/")
    assert [one.attachment.name for one in response.context["texts"]] == ["a.txt", "a.html"]
    page = text(response)
    assert "<script>alert" not in page
    assert 'sandbox="" loading="lazy" title="a.html" srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;"' in page


def test_long_text_is_cut_and_says_so(alice, alice_web, job, monkeypatch):
    monkeypatch.setattr("apps.processing.views_results.TEXT_BYTES", 5)
    response = alice_web.get(f"/jobs/{job.pk}/results/{row(job, 0).image_id}/")
    (shown,) = response.context["texts"]
    assert (shown.text, shown.cut) == ("text ", True)
    assert "Only the first part is shown here" in text(response)


def test_a_photo_without_a_result_yet(alice, alice_web, submit):
    job = submit(alice)
    page = text(alice_web.get(f"/jobs/{job.pk}/results/{row(job, 0).image_id}/"))
    assert "This photo has no result yet." in page


def test_a_result_whose_picture_was_deleted(alice_web, job):
    Image.objects.filter(folder=job.output_folder).delete()
    page = text(alice_web.get(f"/jobs/{job.pk}/results/{row(job, 0).image_id}/"))
    assert "The resulting picture is not in your drive any more." in page
    assert alice_web.get(f"/jobs/{job.pk}/results/").status_code == 200


def test_a_photo_of_another_job_is_not_there(alice, alice_web, bob_web, job, submit):
    other = submit(alice, name="Other")
    assert alice_web.get(f"/jobs/{job.pk}/results/{row(other, 0).image_id}/").status_code == 404
    assert bob_web.get(f"/jobs/{job.pk}/results/{row(job, 0).image_id}/").status_code == 404


def test_addresses_and_filters_with_nul(alice_web, job):
    assert alice_web.get(f"/jobs/{job.pk}/results/%00/").status_code == 404
    assert alice_web.get("/jobs/a%00/results/").status_code == 404
    filters = alice_web.get(f"/jobs/{job.pk}/results/?label=%00&rgb=a%00&ryb=%00").context["filters"]
    assert (filters.label, filters.rgb, filters.ryb) == ("", "a", "")
