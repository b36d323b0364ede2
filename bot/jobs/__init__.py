"""From a request to delivered pictures: order, servers, one job's life, and the loop that joins them."""
