// Takes a folder in that the visitor chose: its files are kept where the worker's files are read from.
import { CHOSEN, keepChosen } from "../../browser/files.js";

/** Keeps the files, telling the share that is done; gives the folder's address. */
export async function takeIn(files, tell) {
  const all = [...files];
  const name = all[0]?.webkitRelativePath.split("/")[0] ?? "";
  if (!name) throw new Error("This folder has no files. Choose the one that has the model's files in it.");
  const folder = `${CHOSEN}${encodeURIComponent(name)}/`;
  const bytes = all.reduce((sum, file) => sum + file.size, 0);
  let done = 0;
  for (const file of all) {
    const path = file.webkitRelativePath.slice(name.length + 1);
    await keepChosen(folder + path.split("/").map(encodeURIComponent).join("/"), file);
    done += file.size;
    tell(done / Math.max(bytes, 1));
  }
  return folder;
}
