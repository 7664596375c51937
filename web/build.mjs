// Builds the page: one script, one style sheet, and the licences of what is bundled. `npm ci && npm run build`.
// Usage: node build.mjs [OUTPUT_FOLDER]. The same sources and lock file give the same bytes.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const output = resolve(process.argv[2] ?? join(here, "../src/opencwm/frontends/web/page"));
mkdirSync(output, { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: { page: "src/main.ts" },
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "iife",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  legalComments: "none",
  preserveSymlinks: true,
  metafile: true,
  outdir: output,
  logLevel: "warning",
});
await build({
  absWorkingDir: here,
  entryPoints: { page: "src/style.css" },
  bundle: true,
  minify: true,
  charset: "utf8",
  target: ["chrome111", "firefox113", "safari16.4"],
  legalComments: "none",
  outdir: output,
  logLevel: "warning",
});
copyFileSync(join(here, "src/page.html"), join(output, "page.html"));

const bundled = new Set();
for (const file of Object.keys(result.metafile.inputs)) {
  const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file);
  if (found) bundled.add(found[1]);
}
const notices = [...bundled].sort().map((name) => {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const text = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, text), "utf8").trim()}\n`;
});
const heading = "page.js contains the following packages from https://www.npmjs.com, each under its licence.\n";
writeFileSync(join(output, "LICENCES.txt"), [heading, ...notices].join(`\n${"-".repeat(78)}\n\n`));
