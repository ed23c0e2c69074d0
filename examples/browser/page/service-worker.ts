/** Keeps a copy of the page, so that it can be reloaded while its server is down. What the newest is, the server says, if it can. */

interface Extendable extends Event { waitUntil (promise: Promise<unknown>): void }
interface Fetch extends Event { readonly request: Request, respondWith (response: Promise<Response>): void }

const worker = self as unknown as { skipWaiting (): Promise<void>, clients: { claim (): Promise<void> } }
const files = ['/', '/page.js', '/style.css', '/icon.svg']

addEventListener('install', (event) => {
  (event as Extendable).waitUntil(caches.open('board').then(async (cache) => { await cache.addAll(files) }).then(async () => { await worker.skipWaiting() }))
})

addEventListener('activate', (event) => { (event as Extendable).waitUntil(worker.clients.claim()) })

addEventListener('fetch', (event) => { (event as Fetch).respondWith(respond((event as Fetch).request)) })

async function respond (request: Request): Promise<Response> {
  const cache = await caches.open('board')
  try {
    const response = await fetch(request)
    if (response.ok) await cache.put(request, response.clone())
    return response
  } catch {
    return await cache.match(request) ?? Response.error()
  }
}
