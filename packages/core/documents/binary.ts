/** Neither in prose nor in code; tabs, line and page breaks are, and escapes, which logs have in colour. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const STRANGE = /[\u0000-\u0008\u000b\u000e-\u001a\u001c-\u001f\u007f-\u009f\ufffd]/g
/** One in a hundred is more than a text has that was damaged on its way. */
const MOST_STRANGE = 0.01

/** Base64 has no spaces and, when it is long, letters of both cases and digits. */
const BASE64 = /^(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/_-]{1000,}={0,2}\s*$/
const DATA_URL = /^data:[^,]{0,200};base64,/i

/** Why this is no text that could be read, or null. Bytes that were read as UTF-8 or Latin-1 all the same give themselves away. */
export function binaryIn(content: string): string | null {
  if (content.startsWith('%PDF-')) return 'this is a PDF'
  if (DATA_URL.test(content) || BASE64.test(content)) return 'this looks like Base64'
  const strange = content.match(STRANGE)?.length ?? 0
  if (strange > content.length * MOST_STRANGE) return `${strange} of its ${content.length} characters are none that a text has`
  return null
}
