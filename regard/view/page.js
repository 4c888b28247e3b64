"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent) || {};
  const BAND = 48;
  const TALL = 2;

  const unpack = (packed) => Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));

  const make = (kind, content, className) => {
    const made = document.createElement(kind);
    if (content !== undefined) made.textContent = content;
    if (className) made.className = className;
    return made;
  };

  const segments = globalThis.Intl?.Segmenter && new Intl.Segmenter();
  const letters = (token) => [...(segments ? segments.segment(token) : token)].length;

  const shaded = (cell, share) => {
    if (share >= 0.01) cell.style.setProperty("--w", share.toFixed(2));
    else cell.style.removeProperty("--w");
    return cell;
  };

  const header = (token, scope) => {
    const cell = make("th");
    const label = make("span", token);
    cell.scope = scope;
    if (scope === "col" && letters(token) > TALL) cell.className = "tall";
    label.dir = "auto";
    cell.append(label);
    return cell;
  };

  const bands = (columns) => {
    const wide = Math.ceil(columns / Math.ceil(columns / BAND));
    const starts = [];
    for (let start = 0; start < columns; start += wide) starts.push(start);
    return starts.map((start) => [start, Math.min(start + wide, columns)]);
  };

  // Each layout draws a look, says which weight stands where, and marks the one that is read.
  const tables = (place, down) => {
    const above = (frame) => (down ? frame.outputs : frame.inputs);
    const beside = (frame) => (down ? frame.inputs : frame.outputs);
    const cut = (frame) => (down ? [[0, above(frame).length]] : bands(above(frame).length));
    const at = (row, column) => (down ? [column, row] : [row, column]);
    return {
      size: (frame) => [beside(frame).length, above(frame).length],
      at,
      draw: (frame, share) => {
        place.replaceChildren(...cut(frame).map(([start, stop]) => {
          const table = make("table");
          const head = make("tr");
          table.style.setProperty("--n", stop - start);
          head.append(make("td"), ...above(frame).slice(start, stop).map((t) => header(t, "col")));
          table.createTHead().append(head);
          table.createTBody().append(...beside(frame).map((token, row) => {
            const line = make("tr");
            line.append(header(token, "row"));
            for (let column = start; column < stop; column += 1) {
              shaded(line.insertCell(), share(...at(row, column)));
            }
            return line;
          }));
          return table;
        }));
      },
      cell: (frame, row, column) => {
        const number = cut(frame).findIndex(([, stop]) => column < stop);
        const table = place.querySelectorAll("table")[number];
        return table.tBodies[0].rows[row].cells[column - cut(frame)[number][0] + 1];
      },
      find: (frame, event) => {
        const cell = event.target.closest("tbody td");
        if (!cell) return null;
        const number = [...place.querySelectorAll("table")].indexOf(cell.closest("table"));
        return [cell.parentNode.sectionRowIndex, cut(frame)[number][0] + cell.cellIndex - 1];
      },
    };
  };

  const running = (place) => {
    const words = () => place.querySelectorAll(".w");
    return {
      size: (frame) => [1, frame.inputs.length],
      at: (row, column) => [row, column],
      draw: (frame, share) => {
        const lines = [...place.querySelectorAll(".run")];
        const first = words().length === frame.inputs.length ? lines[0].querySelectorAll(".w").length
          : frame.inputs.length;
        const rest = place.querySelector(".unread");
        lines.forEach((line, number) => {
          const parts = [];
          const [start, stop] = number ? [first, frame.inputs.length] : [0, first];
          for (let n = start; n < stop; n += 1) {
            parts.push(frame.pieces[2 * n]);
            parts.push(shaded(make("span", frame.pieces[2 * n + 1], "w"), share(0, n)));
          }
          line.replaceChildren(...parts);
        });
        if (rest) lines[lines.length - 1].append(rest);
      },
      cell: (frame, row, column) => {
        const word = words()[column];
        const folded = word.closest("details");
        if (folded) folded.open = true;
        return word;
      },
      find: (frame, event) => {
        const word = event.target.closest(".w");
        return word && [0, [...words()].indexOf(word)];
      },
    };
  };

  const picture = (place, last) => {
    const spots = place.querySelector(".spots");
    return {
      size: (frame) => [frame.outputs.length, frame.inputs.length],
      at: (row, column) => [row, column],
      draw: (frame, share) => {
        const canvas = make("canvas");
        const [high, wide] = [frame.outputs.length, frame.inputs.length];
        const pen = Object.assign(canvas, { width: wide, height: high }).getContext("2d");
        const image = pen.createImageData(wide, high);
        for (let n = 0; n < wide * high; n += 1) {
          image.data[4 * n + 3] = 255 * share(Math.floor(n / wide), n % wide);
        }
        pen.putImageData(image, 0, 0);
        spots.style.setProperty("--mask", `url(${canvas.toDataURL()})`);
        spots.style.setProperty("--n", wide);
        spots.style.setProperty("--m", high);
        place.querySelector("details").hidden = frame !== last; // It says what is in that look.
      },
      cell: (frame, row, column) => {
        const mark = make("i");
        mark.style.left = `${(100 * column) / frame.inputs.length}%`;
        mark.style.top = `${(100 * row) / frame.outputs.length}%`;
        spots.replaceChildren(mark);
        return mark;
      },
      find: (frame, event) => {
        if (!event.target.closest(".spots")) return null;
        const box = spots.getBoundingClientRect();
        const part = (at, start, length, count) => Math.floor(((at - start) / length) * count);
        return [
          part(event.clientY, box.top, box.height, frame.outputs.length),
          part(event.clientX, box.left, box.width, frame.inputs.length),
        ];
      },
    };
  };

  for (const figure of document.querySelectorAll("[data-film]")) {
    const { layout, full, frames } = data.films[Number(figure.dataset.film)];
    const film = [];
    for (const look of frames) film.push({ ...film[film.length - 1], ...look });
    const place = figure.querySelector(".heat");
    const reading = figure.querySelector(".reading");
    const scale = [...reading.childNodes];
    const controls = figure.querySelector(".controls");
    const way = layout === "text" ? running(place)
      : layout === "picture" ? picture(place, film[film.length - 1]) : tables(place, layout === "down");
    let frame = film[film.length - 1];
    let weights = unpack(frame.weights);
    let chosen = null;

    const weight = (output, input) => (weights[output * frame.inputs.length + input] / 255) ** 2;

    const draw = (number) => {
      frame = film[number];
      weights = unpack(frame.weights);
      way.draw(frame, (output, input) => weight(output, input) / full);
      figure.querySelector(".when").textContent =
        `step ${frame.step.toLocaleString("en")} · epoch ${frame.epoch.toFixed(2)}`;
      const answer = figure.querySelector(".answer");
      const folded = answer.closest(".fold");
      answer.textContent = frame.answer;
      if (folded) {
        folded.querySelector(".start").textContent = `${[...frame.answer].slice(0, 210).join("")} …`;
        folded.querySelector(".more").textContent = `show all ${frame.answer.length.toLocaleString("en")} characters`;
      }
      choose(chosen);
    };

    const choose = (at) => {
      place.querySelectorAll(".chosen").forEach((cell) => cell.classList.remove("chosen"));
      place.querySelectorAll(".spots i").forEach((mark) => mark.remove());
      const size = way.size(frame);
      chosen = at && at.map((n, side) => Math.max(0, Math.min(size[side] - 1, n)));
      if (!chosen) return reading.replaceChildren(...scale);
      const [output, input] = way.at(...chosen);
      const cell = way.cell(frame, ...chosen);
      cell.classList.add("chosen");
      reading.replaceChildren(
        make("bdi", frame.outputs[output]), " ← ", make("bdi", frame.inputs[input]),
        `  ${weight(output, input).toFixed(3)}`,
      );
      return cell;
    };

    place.addEventListener("pointermove", (event) => {
      const at = way.find(frame, event);
      if (at) choose(at);
    });
    place.addEventListener("pointerleave", () => choose(null));
    place.addEventListener("blur", () => choose(null));
    place.addEventListener("keydown", (event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      let by = move[event.key];
      if (!by || event.target !== place) return;
      event.preventDefault();
      // In a text that runs from right to left, the next word is to the left.
      const line = layout === "text" && place.querySelector(".run");
      if (line && getComputedStyle(line).direction === "rtl") by = [by[0], -by[1]];
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
