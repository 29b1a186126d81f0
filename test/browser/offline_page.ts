// What the tests of the service worker use in a page: how the real page installs it.
import { prepareOffline } from "../../web/page/shell/offline.ts";
import { allowOwnScripts } from "../../web/page/shell/own_scripts.ts";

allowOwnScripts();
Object.assign(globalThis, { prepared: prepareOffline(document.baseURI) });
