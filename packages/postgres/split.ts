/** What may hold a semicolon that ends nothing, or is the one that does. */
const TOKEN = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"[^"]*"|\$(\w*)\$[\s\S]*?\$\1\$|;|[^;'"$/-]+|[\s\S]/g

/** The statements of a migration file, each with the comments before it: over HTTP a query is one statement. */
export function split(file: string): string[] {
  const statements: string[] = []
  let current = ''
  let empty = true
  const end = () => {
    if (!empty) statements.push(current.trim())
    current = ''
    empty = true
  }
  for (const [token] of file.matchAll(TOKEN)) {
    if (token === ';') end()
    else {
      current += token
      if (!token.startsWith('--') && !token.startsWith('/*') && token.trim() !== '') empty = false
    }
  }
  end()
  return statements
}
