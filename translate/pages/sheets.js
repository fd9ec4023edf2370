"use strict";
// Sample sheets over time: all lie in the page, the slider shows one of them.
for (const viewer of document.querySelectorAll(".sheets")) {
  const range = viewer.querySelector("input");
  if (!range) continue;
  const pictures = [...viewer.querySelectorAll("img")];
  const told = viewer.querySelector("output");
  const show = () => {
    pictures.forEach((picture, index) => { picture.hidden = index !== Number(range.value); });
    told.textContent = pictures[range.value].alt;
    range.setAttribute("aria-valuetext", told.textContent);
  };
  range.addEventListener("input", show);
  show();
}
