"""The search API and the search page. They read and edit the catalogue; they run no stage."""
