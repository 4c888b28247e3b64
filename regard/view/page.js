"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent) || {};

  const unpack = (packed) => Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));

  const header = (token, scope) => {
    const cell = document.createElement("th");
    const label = document.createElement("span");
    cell.scope = scope;
    label.dir = "auto";
    label.textContent = token;
    cell.append(label);
    return cell;
  };

  for (const figure of document.querySelectorAll("[data-film]")) {
    const film = data.films[Number(figure.dataset.film)];
    const full = Number(figure.dataset.full);
    const down = "down" in figure.dataset;
    const place = figure.querySelector(".heat");
    const reading = figure.querySelector(".reading");
    const scale = [...reading.childNodes];
    const controls = figure.querySelector(".controls");
    let frame = film[film.length - 1];
    let weights = unpack(frame.weights);
    let chosen = null;

    const beside = () => (down ? frame.inputs : frame.outputs);
    const above = () => (down ? frame.outputs : frame.inputs);
    const weight = (row, column) => {
      const [output, input] = down ? [column, row] : [row, column];
      return (weights[output * frame.inputs.length + input] / 255) ** 2;
    };

    const draw = (number) => {
      frame = film[number];
      weights = unpack(frame.weights);
      const head = document.createElement("tr");
      head.append(document.createElement("td"), ...above().map((t) => header(t, "col")));
      const rows = beside().map((token, row) => {
        const line = document.createElement("tr");
        line.append(header(token, "row"));
        above().forEach((_, column) => {
          const cell = line.insertCell();
          const share = weight(row, column) / full;
          if (share >= 0.01) cell.style.setProperty("--w", share.toFixed(2));
        });
        return line;
      });
      place.querySelector("thead").replaceChildren(head);
      place.querySelector("tbody").replaceChildren(...rows);
      figure.querySelector(".when").textContent =
        `step ${frame.step.toLocaleString("en")} · epoch ${frame.epoch.toFixed(2)}`;
      figure.querySelector(".answer").textContent = frame.answer;
      choose(chosen && [chosen[0], chosen[1]]);
    };

    const choose = (at) => {
      place.querySelectorAll(".chosen").forEach((cell) => cell.classList.remove("chosen"));
      chosen = at && [
        Math.max(0, Math.min(beside().length - 1, at[0])),
        Math.max(0, Math.min(above().length - 1, at[1])),
      ];
      if (!chosen) return reading.replaceChildren(...scale);
      const [row, column] = chosen;
      const cell = place.querySelector("tbody").rows[row].cells[column + 1];
      cell.classList.add("chosen");
      const name = (token) => {
        const part = document.createElement("bdi");
        part.textContent = token;
        return part;
      };
      reading.replaceChildren(
        name(frame.outputs[down ? column : row]), " ← ", name(frame.inputs[down ? row : column]),
        `  ${weight(row, column).toFixed(3)}`,
      );
      return cell;
    };

    place.addEventListener("pointerover", (event) => {
      const cell = event.target.closest("tbody td");
      if (cell) choose([cell.parentNode.sectionRowIndex, cell.cellIndex - 1]);
    });
    place.addEventListener("pointerleave", () => choose(null));
    place.addEventListener("blur", () => choose(null));
    place.addEventListener("keydown", (event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const by = move[event.key];
      if (!by) return;
      event.preventDefault();
      const cell = choose(chosen ? [chosen[0] + by[0], chosen[1] + by[1]] : [0, 0]);
      cell.scrollIntoView({ block: "nearest", inline: "nearest" });
    });

    if (!controls) continue;
    const slider = controls.querySelector("input");
    const button = controls.querySelector("button");
    let timer = null;
    controls.hidden = false;

    const show = (number) => {
      slider.value = number;
      slider.setAttribute("aria-valuetext", `step ${film[number].step}`);
      draw(number);
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
    };
    slider.addEventListener("input", () => {
      stop();
      show(Number(slider.value));
    });
    button.addEventListener("click", () => {
      if (timer) return stop();
      button.textContent = "Stop";
      let next = Number(slider.value) === film.length - 1 ? 0 : Number(slider.value) + 1;
      show(next);
      timer = setInterval(() => {
        next += 1;
        if (next >= film.length) return stop();
        show(next);
      }, 350);
    });
  }
})();
