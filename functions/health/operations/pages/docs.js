"use strict";

const place = document.getElementById("operations");

/** Names what Swagger UI leaves without a name, for those who do not see the page. */
function nameParts() {
  const names = {
    ".operation-filter-input": "Find a tag",
    "select[aria-label='']": "Choose",
    ".servers select": "Server",
    ".content-type": "Media type",
    ".parameters-col_description input": "Value",
    ".parameters-col_description select": "Value",
    ".body-param__text": "Body",
  };
  for (const [selector, name] of Object.entries(names)) {
    for (const node of place.querySelectorAll(selector)) {
      if (!node.getAttribute("aria-label")) node.setAttribute("aria-label", name);
    }
  }
  for (const node of place.querySelectorAll("pre, .highlight-code, .table-container, .model-box")) node.tabIndex = 0;
}

if (typeof SwaggerUIBundle === "undefined") {
  place.textContent = "This build came without Swagger UI. Read the OpenAPI document instead.";
} else {
  place.textContent = "";
  SwaggerUIBundle({
    url: "/api/openapi.json",
    domNode: place,
    deepLinking: true,
    docExpansion: "none",
    defaultModelsExpandDepth: 0,
    defaultModelExpandDepth: 4,
    defaultModelRendering: "model",
    displayRequestDuration: true,
    filter: true,
    tryItOutEnabled: true,
    validatorUrl: null,
  });
  new MutationObserver(nameParts).observe(place, { childList: true, subtree: true });
}
