// SPDX-License-Identifier: BSD-2-Clause
// The status page by itself: what has data-live is renewed from the same page, every few seconds while somebody
// may look. The filter works as it is typed. Without this, the page is the same, and its form is sent.
"use strict";

(() => {
    const EVERY_MS = 5000, TYPED_MS = 250, PATIENCE_MS = 20000;
    const FRESH = "Renewed by itself.";
    const form = document.querySelector("form.filter");
    const live = document.getElementById("live");
    let timer = 0, asked = null;

    // Where the focus is, so that it is there again when the elements are new ones.
    const placeOf = (element) => element.id ? "#" + CSS.escape(element.id)
        : element.matches("a[href]") ? `a[href="${CSS.escape(element.getAttribute("href"))}"]`
        : element.matches("summary") ? "#" + CSS.escape(element.parentElement.id) + " > summary" : "";

    const keepOpen = (old, fresh) => {
        for (const details of old.querySelectorAll("details[open]")) {
            const other = fresh.querySelector("#" + CSS.escape(details.id));
            if (other)
                other.open = true;
        }
    };

    // Whoever selects text wants to copy it: it must not go away under the pointer.
    const isSelected = (element) => {
        const selection = document.getSelection();
        return !selection.isCollapsed && selection.containsNode(element, true);
    };

    const renew = (old, fresh) => {
        keepOpen(old, fresh);
        if (old.innerHTML === fresh.innerHTML || isSelected(old))
            return;
        const focused = old.contains(document.activeElement) ? placeOf(document.activeElement) : "";
        const scrolled = [...old.querySelectorAll(".wide")].map((each) => each.scrollTop);
        old.replaceChildren(...fresh.childNodes);
        old.querySelectorAll(".wide").forEach((each, i) => { each.scrollTop = scrolled[i] || 0; });
        if (focused)
            old.querySelector(focused)?.focus({preventScroll: true});
    };

    const renewAll = (text) => {
        const page = new DOMParser().parseFromString(text, "text/html");
        if (!page.getElementById("live"))
            throw new Error("this is another's page");
        for (const old of document.querySelectorAll("[data-live]")) {
            const fresh = page.getElementById(old.id);
            if (fresh)
                renew(old, document.importNode(fresh, true));
        }
    };

    // Numbers that are old look so, wherever in the page somebody is.
    const say = (text, isOld) => {
        document.documentElement.classList.toggle("old", isOld);
        if (live.textContent !== text)
            live.textContent = text;
    };

    // Where a password is wanted the browser asks for it: once, not again every few seconds.
    const sayWhy = (status) => {
        if (status === 401)
            say("These numbers are old: a password is wanted. Load the page again.", true);
        else
            say("These numbers are old: the daemon " + (status ? "answers with " + status + "." : "does not answer."), true);
        return status !== 401;
    };

    const refresh = async () => {
        let goesOn = true, status = 0;
        clearTimeout(timer);
        asked?.abort();
        const mine = asked = new AbortController();
        const patience = setTimeout(() => mine.abort(), PATIENCE_MS);
        try {
            const response = await fetch(location.pathname + location.search, {signal: mine.signal, cache: "no-store"});
            if (!response.ok)
                status = response.status;
            const text = await response.text();
            if (mine !== asked)
                return;
            if (status)
                throw new Error(String(status));
            renewAll(text);
            say(FRESH, false);
        } catch (error) {
            if (mine === asked)
                goesOn = sayWhy(status);
        } finally {
            clearTimeout(patience);
            if (mine === asked && goesOn)
                later(EVERY_MS);
        }
    };

    const later = (ms) => {
        clearTimeout(timer);
        if (!document.hidden)
            timer = setTimeout(refresh, ms);
    };

    const choose = () => {
        const wanted = new URLSearchParams();
        asked?.abort(); // what it brings was chosen before
        asked = null;
        for (const [name, value] of new FormData(form))
            if (value !== "")
                wanted.set(name, value);
        const query = wanted.toString();
        history.replaceState(null, "", location.pathname + (query ? "?" + query : ""));
        later(TYPED_MS);
    };

    if (!form || !live)
        return;
    form.addEventListener("input", choose);
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        choose();
        refresh();
    });
    form.querySelector(".clear").addEventListener("click", (event) => {
        event.preventDefault();
        for (const field of form.querySelectorAll("input, select"))
            field.value = "";
        choose();
        refresh();
    });
    document.addEventListener("visibilitychange", () => {
        if (document.hidden)
            clearTimeout(timer);
        else
            refresh();
    });
    say(FRESH, false);
    later(EVERY_MS);
})();
