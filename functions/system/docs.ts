import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { SCRIPT } from './reference.ts'

/** The reference's own script stands beside this route; nothing is loaded from elsewhere. */
const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Twofold API</title>
  </head>
  <body>
    <script id="api-reference" data-url="/openapi.json" data-configuration='{"withDefaultFonts":false,"telemetry":false,"agent":{"disabled":true},"mcp":{"disabled":true},"hideClientButton":true,"showDeveloperTools":"never"}'></script>
    <script src="${SCRIPT.path}"></script>
  </body>
</html>
`

export const docs = operation({
  name: 'system.docs',
  method: 'get',
  path: '/docs',
  scope: null,
  public: true,
  summary: 'The API to read and try in a browser.',
  input: z.strictObject({}),
  output: z.string(),
  mediaType: 'text/html; charset=utf-8',
  handle: () => PAGE,
})

export const handler = lambda(docs)
