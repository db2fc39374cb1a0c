/** The page that `sknote export --web` wrote into SKNOTE_PAGE, for the tests of a file. */
import { after, before } from "node:test";

import { launch, open, serve } from "./chromium.mjs";

/**
 * Serve the page to the tests of a file, in a browser that `prepare` returns options of. What it
 * returns has `fresh`, which opens it in a window of its own that shares nothing with others.
 */
export function useSite(prepare = () => ({})) {
  const site = {};
  before(async () => {
    site.server = await serve(process.env.SKNOTE_PAGE);
    site.browser = await launch(prepare());
  });
  after(async () => {
    await site.browser?.close();
    site.server?.close();
  });
  site.fresh = async (options, prepare) => {
    const context = await site.browser.createBrowserContext();
    await context.overridePermissions(site.server.url, ["microphone"]);
    const opened = await open(context, site.server.url, { ...options, prepare });
    return { ...opened, close: () => context.close() };
  };
  return site;
}
