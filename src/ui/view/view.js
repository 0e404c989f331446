// What views want of the browser and is shorter as a script: taking files in, showing a mask and painting it. One file, as
// each is a request before the page can be used.
import { CHOSEN, forget, forgetChosen, keepChosen } from "../../browser/files.js";

// Pixels as whole words, lowest byte first: red, green, blue and how opaque.
const PAINT = 0xff5028e6;
const [WHITE, BLACK] = [0xffffffff, 0xff000000];

/** Shows a mask of these sides: colour where its bytes are rather white; nothing at all where there are none. */
export function showMask(canvas, width, height, rgba) {
  // A canvas is empty again when it is given its size.
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let at = 0; at < rgba.length / 4; at++) if (rgba[4 * at] > 127) pixels[at] = PAINT;
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
}

/** Lets the visitor paint; `done` gets the mask's bytes behind each stroke, or nothing where nothing is painted. Behind the
 * canvas stands what shows where the keys paint, and behind both layers the brush's width in percent of the longer side and
 * whether it erases. */
export function letPaint(canvas, done) {
  const brush = () => {
    const [size, eraser] = canvas.parentElement.nextElementSibling.querySelectorAll("input");
    return { width: (size.valueAsNumber / 100) * Math.max(canvas.width, canvas.height), erases: eraser.checked };
  };
  let from;
  let at;
  const stroke = (to) => {
    const context = canvas.getContext("2d");
    const { width, erases } = brush();
    context.globalCompositeOperation = erases ? "destination-out" : "source-over";
    context.strokeStyle = "#e62850";
    context.lineCap = "round";
    context.lineWidth = Math.max(1, width);
    context.beginPath();
    context.moveTo(...(from ?? to));
    // A line without a length is none, and a press alone is to leave a dot.
    context.lineTo(to[0], to[1] + 0.01);
    context.stroke();
    from = to;
  };
  // The picture lies in the middle of the canvas' box, as large as fits.
  const shown = () => {
    const box = canvas.getBoundingClientRect();
    const scale = Math.min(box.width / canvas.width, box.height / canvas.height);
    return { scale, x: box.x + (box.width - scale * canvas.width) / 2, y: box.y + (box.height - scale * canvas.height) / 2 };
  };
  const place = (event) => {
    const { scale, x, y } = shown();
    return [(event.clientX - x) / scale, (event.clientY - y) / scale];
  };
  const end = () => {
    if (!from) return;
    from = undefined;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const mask = new Uint32Array(data.buffer).map((pixel) => (pixel >>> 31 ? WHITE : BLACK));
    done(mask.includes(WHITE) ? new Uint8Array(mask.buffer) : undefined);
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    stroke(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (from) for (const each of event.getCoalescedEvents?.() ?? [event]) stroke(place(each));
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, end);

  const show = () => {
    const { scale, x, y } = shown();
    const cursor = canvas.nextElementSibling;
    const box = cursor.parentElement.getBoundingClientRect();
    const width = Math.max(8, brush().width * scale);
    Object.assign(cursor.style, {
      left: `${x + at[0] * scale - box.x - width / 2}px`, top: `${y + at[1] * scale - box.y - width / 2}px`,
      width: `${width}px`, height: `${width}px`,
    });
  };
  canvas.addEventListener("focus", () => {
    at = [canvas.width / 2, canvas.height / 2];
    show();
  });
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const way = ways[event.key];
    if (!way && event.key !== " ") return;
    event.preventDefault();
    const paints = event.key === " " || event.shiftKey;
    if (paints) stroke(at);
    if (way) {
      const far = Math.max(1, brush().width / 2);
      const within = (x, most) => Math.min(Math.max(x, 0), most);
      at = [within(at[0] + way[0] * far, canvas.width), within(at[1] + way[1] * far, canvas.height)];
    }
    if (paints) stroke(at);
    end();
    show();
  });
}

/** Takes files in that the visitor chose, a folder or several: keeps them where the worker's files are read from, telling the
 * share that is done; gives their address. Loose files get a list of their paths: what is in them tells where each belongs. */
export async function takeIn(files, tell) {
  const all = [...files];
  const [name] = all[0].webkitRelativePath.split("/");
  // Each time another address: what was read of a folder as it was is nothing to what it is now.
  const own = encodeURIComponent(name || `files of ${new Date().toLocaleString("sv")}`);
  const folder = `${CHOSEN}${Date.now()}/${own}/`;
  await forgetChosen(own);
  const bytes = all.reduce((sum, file) => sum + file.size, 0);
  // Of loose files' names there may be two, out of two folders. In an address some letters end a path.
  const taken = new Set(["loose.json"]);
  const paths = all.map((file, number) => {
    if (name) return file.webkitRelativePath.slice(name.length + 1).split("/").map(encodeURIComponent).join("/");
    const plain = file.name.replace(/[?#%]/g, "_");
    return taken.has(plain) ? `${number}/${plain}` : (taken.add(plain), plain);
  });
  let done = 0;
  try {
    for (const [number, file] of all.entries()) {
      await keepChosen(folder + paths[number], file);
      done += file.size;
      tell(done / Math.max(bytes, 1));
    }
    if (!name) await keepChosen(folder + "loose.json", new File([JSON.stringify(paths)], ""));
  } catch (error) {
    // Nobody could find it to delete it.
    await forget(folder);
    throw error;
  }
  return folder;
}
