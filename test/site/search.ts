/** Prints the first results of a search on the built site: node test/site/search.ts "EventBridge" "id of an order" … */
import { search, startChromium, startSite } from './site.ts'

const site = await startSite()
const browser = await startChromium()
try {
  const page = await browser.newPage()
  await page.goto(site.address)
  for (const words of process.argv.slice(2)) {
    console.log(`${words}\n  ${(await search(page, words)).join('\n  ') || 'no result'}`)
  }
} finally {
  await browser.close()
  site.close()
}
