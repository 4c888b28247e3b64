"""The page of a server in a browser: asked, with a head taken out, and with all effects."""

from typing import Any

from tests.serving.conftest import TOKEN, Serve, serve  # noqa: F401 - a fixture
from tests.serving.test_answers import encoder
from tests.view.browser.conftest import colors_in

READY = ".regard[data-ready]"


def test_a_text_is_asked_and_heads_are_taken_out(serve: Serve, browser: Any) -> None:  # noqa: F811
    client = serve(encoder())
    origin = f"http://127.0.0.1:{client.port}/"
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{origin}#token={TOKEN}")
    field = page.locator("form.typing input[name=text]")
    field.wait_for()
    assert field.input_value() == "<en> 3 May 2026"
    page.locator("[data-name=example]").click()
    page.wait_for_selector(READY)
    assert field.input_value() == "<fr> 3 mai"
    field.fill("<b>abc")
    page.locator("form.typing button[type=submit]").click()
    page.wait_for_function(
        "() => document.getElementById('regard').regard.model.docs[0]"
        ".stored.about.title === '<b>abc'"
    )
    assert TOKEN not in page.url
    whole = client.ask(body={"text": "<b>abc"}).lines[-1]
    assert page.locator("h1").text_content() == "<b>abc"
    assert page.locator(".letters .letter b").all_text_contents() == whole["letters"]
    assert colors_in(page, ".view canvas") > 3

    page.locator("[data-name=effects]").click()
    page.wait_for_function(
        "() => document.getElementById('regard').regard.model.docs[0].stored.effects"
    )
    assert page.locator(".side-tools option[value=effect]").count() == 1

    page.locator("[data-name=without]").click()
    page.wait_for_function(
        "() => document.querySelector('#regard').shadowRoot"
        ".querySelector('.typing .problem').textContent.includes('Without head 0')"
    )
    layer = whole["document"]["layers"][0]["name"]
    gone = {"layer": layer, "head": 0, "of": 2}
    change = client.ask(body={"text": "<b>abc", "without": gone}).lines[-1]["change"]
    assert f"{change:.4f}" in page.locator(".typing .problem").text_content()

    page.locator("form.typing input[name=layers]").fill("0-1, -1")
    page.locator("form.typing button[type=submit]").click()
    page.wait_for_function(
        "() => document.getElementById('regard').regard.model.docs[0].layers.length === 3"
    )
    assert not said
    assert all(url.startswith((origin, "data:", "blob:")) for url in asked)

    page.locator("form.typing input[name=layers]").fill("99")
    page.locator("form.typing button[type=submit]").click()
    page.wait_for_function(
        "() => document.querySelector('#regard').shadowRoot"
        ".querySelector('.typing .problem').textContent.includes('asks for 99')"
    )
    context.close()


def test_without_the_token_the_page_says_what_to_do(serve: Serve, browser: Any) -> None:  # noqa: F811
    client = serve(encoder())
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{client.port}/")
    page.wait_for_selector(".problem")
    assert "open the address again" in page.locator(".problem").text_content()
    assert page.locator("form").count() == 0
    context.close()


def test_a_picture_is_dropped(serve: Serve, browser: Any) -> None:  # noqa: F811
    from regard.run.asked_network import OpenNetwork

    network, seen = encoder(), list[Any]()

    def ask(given: Any) -> Any:
        seen.append(given)
        return network.ask("abc")

    client = serve(OpenNetwork(ask, of_pictures=True))
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{client.port}/#token={TOKEN}")
    page.wait_for_selector("form.typing .drop")
    page.evaluate(
        """() => {
          const carried = new DataTransfer();
          carried.items.add(new File([new Uint8Array([1, 2, 250])], "a.png"));
          const form = document.getElementById("regard").shadowRoot.querySelector("form.typing");
          form.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, cancelable: true }));
        }"""
    )
    page.wait_for_selector(READY)
    assert seen == [bytes([1, 2, 250])]
    assert page.locator("h1").text_content() == "a.png"
    context.close()
