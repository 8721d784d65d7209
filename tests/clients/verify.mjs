// Verifies tokens with the README's program (./readme.mjs): one a line in, the claims or the error out as JSON.
// `later N` moves the clock by which keys age N seconds on.

import { webcrypto } from 'node:crypto'
import { createInterface } from 'node:readline'

globalThis.crypto ??= webcrypto // Node.js 18 hides it
globalThis.CryptoKey ??= webcrypto.CryptoKey
const { verify } = await import('./readme.mjs')

const now = Date.now
let ahead = 0
Date.now = () => now() + ahead

for await (const line of createInterface({ input: process.stdin })) {
  let answer
  if (line.startsWith('later ')) {
    ahead += Number(line.slice('later '.length)) * 1000
    answer = {}
  } else {
    answer = await verify(line).then((claims) => ({ claims }), (error) => ({ error: String(error) }))
  }
  console.log(JSON.stringify(answer))
}
