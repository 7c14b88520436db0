// Says what AsyncAPI's own parser finds wrong with a document: nothing, or a line each, and ends with 1.
//
//   node deploy/dev/asyncapi.mjs FOLDER FILE      FOLDER: where checkers-get.sh has put the parser
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, file] = process.argv.slice(2);
const { Parser } = createRequire(`${folder}/package.json`)("@asyncapi/parser");
const diagnostics = await new Parser().validate(readFileSync(file, "utf8"), { source: file });
// Severities: 0 is an error, 1 a warning; 2 and 3 are advice.
const wrong = diagnostics.filter((found) => found.severity <= 1);
for (const { message, path } of wrong) console.error(`${file}: ${path.join(".")}: ${message}`);
process.exit(wrong.length > 0 ? 1 : 0);
