// Builds src/file.ts with its style into regard/view/built/attention.js; `node build.mjs --check`
// says instead whether the file that is there is the build of this source.
import { build, transform } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const target = fileURLToPath(new URL("../regard/view/built/attention.js", import.meta.url));

const style = {
  name: "style",
  setup(builder) {
    builder.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

const result = await build({
  entryPoints: [fileURLToPath(new URL("src/file.ts", import.meta.url))],
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "iife",
  target: ["es2022", "chrome103", "firefox113", "safari16.4"],
  plugins: [style],
  write: false,
});
// An HTML parser must not find the end of its own script in it.
const text = result.outputFiles[0].text.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
if (process.argv.includes("--check")) {
  const known = await readFile(target, "utf8").catch(() => "");
  if (known !== text) {
    console.error("regard/view/built/attention.js is not the build of web/src: run `make web` and commit it");
    process.exit(1);
  }
} else {
  await writeFile(target, text);
  console.log(`${target}: ${text.length} bytes`);
}
